import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LoadHandle } from '../laboratory/load.ts';
import { Site } from '../laboratory/site.ts';
import { PROCEDURES } from './procedures.ts';
import { underLoad, withClients } from './under-load.ts';
import { BEFORE, UPGRADES } from './upgrade.ts';

const CLIENTS = 10;

describe('what a group goes through, while clients work', () => {
  let site: Site;
  let load: LoadHandle;
  before(async () => {
    site = await Site.open();
    await site.sell(CLIENTS + 10);
    const vendorRoot = await site.vendorRoot();
    const options = { clientFile: '/etc/trefoil/client.json', vendorRoot, clients: CLIENTS, everyMs: 50 };
    load = await LoadHandle.start(site.host('client'), options);
  });
  after(async () => {
    await load?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  for (const procedure of PROCEDURES)
    test(procedure.says, async (context) => {
      const { figures, fault } = await underLoad(site, load, procedure);
      assert.equal(fault, undefined);
      context.diagnostic(`longest ${figures?.longestMs.toFixed(0)} ms, aim ${procedure.aimMs ?? '–'}`);
    });
});

describe(`an upgrade from version ${BEFORE}, while clients work`, () => {
  for (const procedure of UPGRADES)
    test(procedure.says, (context) =>
      withClients(
        CLIENTS,
        async (site, load) => {
          const { figures, fault } = await underLoad(site, load, procedure);
          assert.equal(fault, undefined);
          context.diagnostic(`longest ${figures?.longestMs.toFixed(0)} ms, aim ${procedure.aimMs}`);
        },
        BEFORE,
      ),
    );
});

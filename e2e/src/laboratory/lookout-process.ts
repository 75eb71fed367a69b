import { create, fromBinary, StatusReplySchema, StatusRequestSchema, toBinary } from '@trefoil/api';
import { Group, readClientFile, systemMachine, Verifier } from '@trefoil/client';
import type { Status } from './lookout.ts';

const PATIENCE_MS = 1_000;

/** `node lookout-process.ts`, with a channel to its parent: says how the group is whenever it is asked. */
process.on('disconnect', () => process.exit()); // whoever started it is gone
process.on('message', () => {
  look().then(
    (status) => process.send?.({ status }),
    (error: unknown) => process.send?.({ reason: String(error) }),
  );
});
let found: Promise<Group> | undefined;

async function look(): Promise<Status> {
  found ??= find();
  const group = await found.catch((error: unknown) => {
    found = undefined;
    throw error;
  });
  const { set } = group.configuration;
  const body = toBinary(StatusRequestSchema, create(StatusRequestSchema, { set }));
  const reply = await group.servers.call('status', body, (bytes) => fromBinary(StatusReplySchema, bytes), PATIENCE_MS);
  const { redundancy, tmrServers, alarms, rules } = reply;
  return {
    ...{ redundancy, alarms, rules },
    tmrServers: tmrServers.map(({ server, active, heard }) => ({ server: server as 'A' | 'B', active, heard })),
    licenseServers: reply.licenseServers.map(({ voting, withholding, lag, unanchored }) => ({
      ...{ voting, withholding },
      lag: Number(lag),
      unanchored,
    })),
  };
}

async function find(): Promise<Group> {
  const file = await readClientFile(undefined);
  return Group.find({
    file,
    verifier: new Verifier(file.vendorRoot ?? ''),
    machine: systemMachine,
    patienceMs: PATIENCE_MS,
  });
}

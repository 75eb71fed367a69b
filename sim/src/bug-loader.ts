import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { BUGS } from './bugs.ts';

/** `SEEDED_BUG=NAME node --import ./bug-loader.ts …`: puts one bug into the text of the product as it is loaded. */
const name = process.env['SEEDED_BUG'];
const bug = BUGS.find((one) => one.name === name);
if (bug === undefined) throw new Error(`no such bug: ${name}`);
const { file, find, replace } = bug;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.startsWith('file:') || !fileURLToPath(url).endsWith(`/${file}`)) return loaded;
    const source = new TextDecoder().decode(loaded.source as Uint8Array);
    if (source.split(find).length !== 2) throw new Error(`${file} does not have exactly one: ${find}`);
    return { ...loaded, source: source.replace(find, () => replace) };
  },
});

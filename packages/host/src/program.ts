import manifest from '../package.json' with { type: 'json' };

/** Of all of Trefoil's programs, which are given away together. */
export const PROGRAM_VERSION: string = manifest.version;

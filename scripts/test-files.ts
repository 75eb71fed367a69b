/** Fast, and independent of each other. */
export const unitTests = [
  'packages/*/src/**/*.test.ts',
  'tidy/**/*.test.ts',
  'vectors/**/*.test.ts',
  'scripts/**/*.test.ts',
];

/** The seeded simulator: one process, no real time. */
export const simulations = ['sim/**/*.test.ts'];

/** Real processes that share the machine's cores and ports: one file at a time. */
export const processTests = ['e2e/**/*.test.ts', 'bench/**/*.test.ts', 'nemesis/**/*.test.ts'];

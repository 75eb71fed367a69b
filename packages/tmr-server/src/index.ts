export { ProposerRuntime, type Submitted } from './proposer-runtime.ts';
export { runTmrServer } from './run.ts';

export { readConfiguration, type TmrServerConfiguration } from './configuration.ts';
export { readDocuments, readSigningKey } from './documents.ts';
export { serveFrames } from './frame-door.ts';
export { type CertifiedEvent, ProposerRuntime } from './proposer-runtime.ts';
export { runTmrServer } from './run.ts';
export { Service } from './service.ts';

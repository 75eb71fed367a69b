export * from './application.ts';
export * from './durations.ts';
export * from './features.ts';
export * from './options.ts';
export * from './product-versions.ts';
export * from './terms.ts';

export { type Content, type Disk, type DiskFile, StoreError, type StoreErrorCode } from './disk.ts';
export { STORE_LIMITS } from './limits.ts';
export { NodeDisk } from './node-disk.ts';
export { openLogStore, type Opened, type OpenOptions } from './open.ts';
export type { StoredRecord } from './scan-segment.ts';
export type { LogStore } from './store.ts';

export type { Trait } from './binding.ts';
export type {
  Container,
  ContainerDescription,
  ContainerKind,
  StoredConstituent,
  Watermark,
  WatermarkFault,
} from './container.ts';
export { ContainerError, type ContainerErrorCode, type ContainerErrorDetails } from './errors.ts';
export { readPassphraseFile } from './files.ts';
export { seal } from './hpke.ts';
export { CONTAINER_LIMITS } from './limits.ts';
export {
  type Bound,
  type CreateOptions,
  createSoftwareContainer,
  openSoftwareContainer,
  rebindSoftwareContainer,
  type RebindOptions,
  type SoftwareContainerOptions,
} from './open-software-container.ts';
export type { SoftwareContainer } from './software-container.ts';
export type { Delay } from './watermark-keeper.ts';

/** Whole groups on one machine, for demonstrations, tests and measurements. */
export { GroupHands } from './demo/group-hands.ts';
export {
  createLoopbackGroup,
  type LoopbackGroup,
  type LoopbackOptions,
  type ServerFolder,
} from './group/loopback-group.ts';
export { ServerProcess } from './group/server-process.ts';

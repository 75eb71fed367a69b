/** The one clock that all processes of this machine agree on, ms. Neither SIGSTOP nor a set wall clock touches it. */
export function trueTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

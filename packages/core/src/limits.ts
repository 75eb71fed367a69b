/** Every bound of the protocol, with its reason. Relations are asserted in limits.test.ts. Times in ms, clock rates as fractions. */
export const LIMITS = {
  /** Above this an entry's execution would be felt as a pause by others in the queue. */
  batchCommands: 1_000,
  /** What one append and one TLS write carry without a stall. */
  batchBytes: 256 * 1024,
  /** An update document may fill an entry of its own. With feedBytes twice, still one record of the log store. */
  entryBytes: 768 * 1024,
  /** How long a first command waits for company. */
  batchWaitMs: 2,
  /** An idle group certifies an empty entry this often: log time goes on, and everyone sees that the group lives. */
  idleEntryMs: 1_000,
  beatMs: 50,
  /** Who is of which program is said so often (PROTOCOL §4.10). */
  aboutMs: 1_000,
  /** Three beats missed. */
  takeoverAfterMs: 150,
  /** Ticks come every 10 ms; a process that ticks this late has stood still itself. Below takeoverAfterMs. */
  ownPauseMs: 30,
  /** A PREPARE that was not answered by two is tried again, at random in this span so that two TMR servers don't duel. */
  retryPrepareMinMs: 40,
  retryPrepareMaxMs: 160,
  /** An open entry that gets no certificate for this long, although enough license servers are heard, goes into a new epoch. */
  stuckMs: 1_000,
  /** ρ: bound on the rate error of client and server clocks together (PROTOCOL §6.2, §6.7). */
  clockRate: 0.01,
  /** ε: what log time may be ahead of true time, once. */
  clockSlackMs: 250,
  /** ε/2: what a vote leaves to a ceiling, and a certificate to one that has not voted. One after the other they add up to ε. */
  ceilingSlackMs: 125,
  /** δ: what a voter's wall clock may be behind the proposed UTC. */
  wallSlackMs: 2_000,
  /** A log clock doesn't run on alone for longer than this: an outage doesn't move time. */
  logClockRunMs: 2_000,
  /** UTC ahead of log time, in total, without a signed time: a wrong clock must not expire a plant's licenses. */
  utcLeadMs: 24 * 3_600_000,
  /** The counter of an epoch may jump this far at once; an absurd epoch would use up the numbers. */
  epochJump: 65_536,
  /** How long a license server holds back a PREPARE that the living active one can answer for. */
  reluctantMs: 1_000,
  certificateFreshMs: 2_000,
  reluctanceMinMs: 10_000,
  reluctanceMaxMs: 60_000,
  sessionTimeoutMs: 60_000,
  openWindowMs: 600_000,
  /** A closed session is known for this long, so that a repeated close gets its remembered answer. */
  closedMemoryMs: 10_000,
  consumeMemoryMs: 24 * 3_600_000,
  sessions: 100_000,
  /** What clients may make the group remember: 100,000 sessions with a seat each fit, and a snapshot of it fits one frame of a link. */
  ledgerBytes: 192 * 1024 * 1024,
  /** Of one license: an outcome that is asked for again may name one of before. */
  replacedLicenses: 4,
  /** The smallest of what may be remembered counts as 200 bytes; and some licenses. */
  ledgerRecords: 1_100_000,
  /** For so many days is it known what was used: a month, and some days to fetch it. */
  usageDays: 35,
  /** What the commands of one entry may bring about: executing and hashing it stays far below takeoverAfterMs. */
  outcomeBytes: 2 * 1024 * 1024,
  /** Who waited and is served at the end of one entry: their outcomes come on top of those of its commands. */
  servedPerEntry: 500,
  /** The same by grants, of some 300 bytes each. */
  partsServedPerEntry: 2_000,
  /** A renewal's outcome names each of them, and has to fit in a grant bundle (license LIMITS.licensesPerBundle). */
  itemsPerSession: 256,
  /** A restart replays what came since: some thousand entries a second. */
  snapshotEveryEntries: 10_000,
  snapshotEveryBytes: 32 * 1024 * 1024,
  /** A license server keeps what came since the last snapshot, to feed those who lag: above snapshotEveryBytes. */
  logBytesInMemory: 64 * 1024 * 1024,
  /** The same in a TMR server, for those who lag by a little. */
  recentBytes: 16 * 1024 * 1024,
  feedBytes: 128 * 1024,
  /** Entries in one message, which become one record of the log store: more than an honest sender puts into one. */
  chunkBytes: 1024 * 1024,
  /** What a new log file begins with is one append: more, and the old file stays until the next snapshot. */
  checkpointBytes: 3 * 1024 * 1024,
  /** How long a restarted software container waits for both peers before it goes on unanchored. */
  rejoinWaitMs: 2_000,
  /** REJOINs of one start that are shown, and how often one TMR server may ask for another: two peers need two at most. */
  rejoinsShown: 4,
  rejoinAgainMs: 200,
  deferredMessages: 32,
  queuedCommands: 20_000,
  /** Of those longer than any but an update can be so many wait: each may have 700 KiB. */
  largeCommandBytes: 16 * 1024,
  queuedLargeCommands: 32,
  /** A TMR server that follows compares its outcomes with the certified ones this often: it costs half of its hashing. */
  followerChecksEvery: 64,
} as const;

/** When the group may give a seat away again: its last life, stretched by what clocks may be wrong (PROTOCOL §6.7). */
export function freeAt(issuedLogTime: number, timeoutMs: number): number {
  return issuedLogTime + Math.ceil(timeoutMs * (1 + LIMITS.clockRate)) + LIMITS.clockSlackMs;
}

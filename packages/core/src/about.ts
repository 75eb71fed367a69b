import type { Reader, Writer } from '@trefoil/license';
import { OLDEST_RULES } from './entry.ts';

/** What a server says of its program. Not signed: a lie costs redundancy at most (PROTOCOL §4.10). */
export interface ProgramInfo {
  /** The newest rules that it knows. */
  readonly rules: number;
  /** Its version, for people. */
  readonly program: string;
}

/** A TMR server of itself, when a link begins, and every second. */
export interface AboutProposer extends ProgramInfo {
  readonly kind: 'about';
}

/** A license server of itself, when a link begins or ends, and every second. */
export interface AboutVoter extends ProgramInfo {
  readonly kind: 'about';
  /** The newest rules that it *and all TMR servers* know, as far as it hears of them. */
  readonly rules: number;
  /** Programs of the TMR servers A and B that it has a link to; '' = of this one nothing is known. */
  readonly tmrPrograms: readonly [string, string];
  /** What it alarms by itself, one line each. */
  readonly alarms: readonly string[];
}

/** Who has said nothing is of a program from before there was anything to say. */
export const SILENT: ProgramInfo = { rules: OLDEST_RULES, program: '' };

const PROGRAM_BYTES = 64;
const ALARM_BYTES = 1024;
const MOST_ALARMS = 64;
/** UTF-8 takes at most three bytes for each of these. */
const ALARM_CHARACTERS = Math.floor(ALARM_BYTES / 3);

/** As much of them as can be said. */
export function sayable(alarms: readonly string[]): string[] {
  return alarms.slice(0, MOST_ALARMS).map((one) => one.slice(0, ALARM_CHARACTERS).toWellFormed());
}

export function writeAboutProposer(writer: Writer, { rules, program }: AboutProposer): void {
  writer.u16(rules).text(program);
}

export function readAboutProposer(reader: Reader): AboutProposer {
  return { kind: 'about', rules: reader.u16(), program: reader.text(PROGRAM_BYTES) };
}

export function writeAboutVoter(writer: Writer, { rules, program, tmrPrograms, alarms }: AboutVoter): void {
  writer.u16(rules).text(program);
  for (const one of tmrPrograms) writer.text(one);
  writer.u8(alarms.length);
  for (const alarm of alarms) writer.text(alarm);
}

export function readAboutVoter(reader: Reader): AboutVoter {
  return {
    kind: 'about',
    rules: reader.u16(),
    program: reader.text(PROGRAM_BYTES),
    tmrPrograms: [reader.text(PROGRAM_BYTES), reader.text(PROGRAM_BYTES)],
    alarms: Array.from({ length: reader.code(0, MOST_ALARMS, 'count') }, () => reader.text(ALARM_BYTES)),
  };
}

import { counted, print, printable, printJson, table } from '../terminal.ts';
import { type Finding, isFault } from './finding.ts';

export function printReport(findings: readonly Finding[], json: boolean): void {
  const [problems, warnings] = [countOf(findings, 'problem'), countOf(findings, 'warning')];
  if (json) printJson({ problems, warnings, findings });
  else print(reportText(findings));
}

/** A table of everything that was looked at, and below it what to do. */
export function reportText(findings: readonly Finding[]): string {
  const rows = findings.map(({ level, what, found }) => [level === 'not looked at' ? '–' : level, what, found]);
  const lines = [table(['', 'looked at', 'found'], rows, 'There was nothing to look at.')];
  for (const one of findings.filter(isFault))
    lines.push('', `${one.level}: ${printable(one.what)}: ${printable(one.found)}`, `  ${one.advice}`);
  return [...lines, '', summary(findings)].join('\n');
}

function summary(findings: readonly Finding[]): string {
  const [problems, warnings] = [countOf(findings, 'problem'), countOf(findings, 'warning')];
  const unseen = countOf(findings, 'not looked at');
  const rest = unseen === 0 ? '' : `; ${counted(unseen, 'thing')} not looked at`;
  if (problems === 0 && warnings === 0) return unseen === 0 ? 'All is well.' : `Nothing wrong was found${rest}.`;
  return `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}${rest}.`;
}

function countOf(findings: readonly Finding[], level: Finding['level']): number {
  return findings.filter((one) => one.level === level).length;
}

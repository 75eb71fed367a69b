import type { Denied } from '@trefoil/client';
import { CliError, EXIT, printable } from './terminal.ts';

/** What the group did not do, as a sentence and an exit code. */
type NotDone =
  | Denied
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  | { readonly kind: 'unknown'; readonly reason: string };

export function refusal(result: NotDone): CliError {
  const code = result.kind === 'denied' ? EXIT.denied : result.kind === 'unknown' ? EXIT.notReachable : EXIT.failure;
  return new CliError(code, sentenceOf(result), result);
}

export function sentenceOf(result: NotDone): string {
  switch (result.kind) {
    case 'denied':
      return printable(result.sentence);
    case 'refused':
      return printable(`refused: ${result.code}${result.detail === '' ? '' : ` (${result.detail})`}`);
    case 'unknown':
      return `no answer that counts: ${result.reason}; try again, nothing is counted twice`;
  }
}

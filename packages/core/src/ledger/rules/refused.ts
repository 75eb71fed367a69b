import type { Answer, RefusalCode } from '@trefoil/license';

export function refused(code: RefusalCode, detail = ''): Answer {
  return { kind: 'refused', code, detail: detail.slice(0, 120) };
}

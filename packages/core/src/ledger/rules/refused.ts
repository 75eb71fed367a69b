import { type Answer, encodeUtf8, LIMITS as FORMAT, type RefusalCode } from '@trefoil/license';

/** Nothing more is remembered; what people have they keep, and may give back (PROTOCOL §5.14). */
export const FULL = 'what the group remembers for its clients is as much as it may be';

/** The detail is cut to what an outcome may carry, whatever alphabet it is in. */
export function refused(code: RefusalCode, detail = ''): Answer {
  let cut = detail.slice(0, 120);
  while (encodeUtf8(cut).length > FORMAT.reasonBytes) cut = cut.slice(0, -1);
  return { kind: 'refused', code, detail: cut };
}

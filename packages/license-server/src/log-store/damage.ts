/**
 * Damage that isn't a torn end. Thrown inside the store and turned, at its border, into the verdict `suspect` (while
 * opening) or into a `StoreError` with code `damaged` (while reading again later).
 */
export class Damage extends Error {
  override readonly name = 'Damage';
  readonly file: string;
  /** Bytes from the start of the file: the sector or frame where the damage shows. */
  readonly offset: number;

  constructor(file: string, offset: number, reason: string) {
    super(reason);
    this.file = file;
    this.offset = offset;
  }
}

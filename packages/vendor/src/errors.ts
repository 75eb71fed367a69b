export type VendorErrorCode =
  | 'bad-key-file'
  | 'wrong-passphrase'
  | 'bad-requests' // not three containers of different machines
  | 'bad-license'
  | 'bad-receipt'; // it does not show what it is to show

/** What a vendor asked for and can't have; `message` is a sentence for a person. */
export class VendorError extends Error {
  override readonly name = 'VendorError';
  readonly code: VendorErrorCode;

  constructor(code: VendorErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

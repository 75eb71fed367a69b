export type ClientErrorCode =
  | 'no-client-file' // none was given and none was found
  | 'bad-client-file'
  | 'bad-vendor-root'
  | 'not-reachable' // no TMR server answers
  | 'not-trusted' // what they show is not vouched for by the vendor's root key
  | 'session-ended'
  | 'closed'
  | 'not-borrowed' // there is no borrowed seat, or it is over
  | 'in-use' // another process uses the borrowed seat
  | 'clock-set-back' // this machine's clock is behind what it has shown before
  | 'other-machine' // its container does not open here
  | 'bad-request'; // what was asked for can't be asked: a slip in the calling program

/** A proved outcome names a license that no server shows: to ask for the outcome again would bring the same. */
export class UnshownLicense extends Error {
  override readonly name = 'UnshownLicense';
}

/** What keeps the SDK from working at all. What the group decides (granted, denied, refused) is a value, never an error. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export { VendorError, type VendorErrorCode } from './errors.ts';
export {
  certifyIssuingKey,
  configure,
  type Issuer,
  issuerOf,
  issueLicense,
  type LicenseOrder,
  makeUpdate,
} from './issue.ts';
export { createKey, keyFromPem, publicPem, type VendorKey } from './keys.ts';
export { reissued, returnedVersion } from './move.ts';
export { type Preset, presetNamed, PRESETS } from './presets.ts';
export { makeReconfiguration } from './reconfigure.ts';
export { containerRequest } from './request.ts';

import { execFile } from 'node:child_process';
import { decodeCertificate, decodeGrantBundle, encodeCertificate, encodeGrantBundle } from '@trefoil/license';
import { programs } from '../programs.ts';

/** `trefoil verify` as a process of its own; true = accepted. */
export function verifyApart(file: string, vendorRoot: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(process.execPath, [programs.trefoil, 'verify', file, '--vendor-root', vendorRoot], (error) =>
      resolve(error === null),
    );
  });
}

/** The same grant with one of its two votes taken away. */
export function withOneVote(bundleText: string): string {
  const bundle = decodeGrantBundle(bundleText);
  const { statement, votes } = decodeCertificate(bundle.certificate);
  return encodeGrantBundle({ ...bundle, certificate: encodeCertificate({ statement, votes: votes.slice(0, 1) }) });
}

const ETC = '/etc/trefoil';

/** A file as it is to be on a host. */
export interface HostFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  /** Only the servers may read it. */
  readonly secret: boolean;
}

export interface HostFolder {
  /** `license-server-1` … `tmr-server-B` */
  readonly name: string;
  readonly host: string;
  readonly files: readonly HostFile[];
}

export function shown(name: string, text: string): HostFile {
  return { path: `${ETC}/${name}`, text, secret: false };
}

import type { TmrServer } from '@trefoil/license';

/** The TMR server writes how much it wants the virtual IP: 0, or −254 to give it away. */
const TRACK_FILE = '/run/trefoil/virtual-ip-weight';

/** Killed, it leaves the address where it is; started anew, it clears up first. */
export const KEEPALIVED_UNIT = `# Written by "trefoil init".
[Service]
Restart=always
RestartSec=1s
`;

/**
 * VRRP between the two TMR servers. Both begin as backups and nobody takes the address back from one who serves. Adverts of 0.2 s: a
 * host that is gone is noticed in 0.6 s, and a busy one is not taken for gone.
 */
export function keepalivedConfiguration(parts: {
  readonly id: TmrServer;
  readonly own: string;
  readonly peer: string;
  /** With the length of its prefix. */
  readonly virtualIp: string;
  readonly device: string;
  readonly virtualRouter: number;
}): string {
  const { id, own, peer, virtualIp, device, virtualRouter } = parts;
  return `# Written by "trefoil init". The virtual IP of TMR server ${id}.
global_defs {
  router_id trefoil_${id}
  vrrp_version 3
  # Neighbours that missed the first announcement of a new holder.
  vrrp_garp_master_refresh 5
  # Before other processes when the machine is busy. The limit has to be far above what a takeover needs, or the kernel
  # ends keepalived in the middle of one.
  vrrp_rt_priority 50
  vrrp_rlimit_rttime 2000000
}

# The TMR server gives the address away by writing -254 here: when it stops, and at a planned switch.
track_file trefoil {
  file "${TRACK_FILE}"
  weight 1
  init_file -254
}

vrrp_instance trefoil {
  state BACKUP
  nopreempt
  interface ${device}
  virtual_router_id ${virtualRouter}
  priority ${id === 'A' ? 110 : 100}
  advert_int 0.2
  unicast_src_ip ${own}
  unicast_peer {
    ${peer}
  }
  virtual_ipaddress {
    ${virtualIp}
  }
  track_file {
    trefoil weight 1
  }
}
`;
}

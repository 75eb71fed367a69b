import type { LoopbackGroup } from '../group/loopback-group.ts';
import { programs } from '../programs.ts';

/** What somebody who has just seen the story may want to try; lines to paste. */
export function hints(group: LoopbackGroup): string[] {
  const first = group.servers.find((one) => one.kind === 'tmr-server');
  return [
    `export TREFOIL_CLIENT=${group.clientFile}`,
    `alias trefoil='${process.execPath} ${programs.trefoil}'`,
    'trefoil status',
    'trefoil run --product cad -- sleep 30 &',
    'trefoil sessions',
    `trefoil evict SESSION --admin-key ${group.adminKeyFile} --reason "lunch"`,
    'trefoil acquire cad --save seat.json --proof grant.json',
    `trefoil verify grant.json --vendor-root ${group.vendorRoot}`,
    'trefoil release seat.json',
    `curl --cacert ${group.directory}/client-authority.pem -H 'content-type: application/json' -d '{}' \\`,
    `  https://127.0.0.1:${first?.port}/trefoil.v1.VirtualContainer/Status`,
    `logs and configurations: ${group.directory}/*/`,
  ];
}

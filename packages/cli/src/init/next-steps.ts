import { type Answers, parseVirtualIp } from './answers.ts';
import { type NewGroup, VENDOR_FILES } from './make-group.ts';

/** The commands from here to a running group, each to be copied. */
export function nextSteps(answers: Answers, { hosts }: Pick<NewGroup, 'hosts'>, directory: string): string {
  const voters = hosts.filter(({ name }) => name.startsWith('license-server'));
  const leaders = hosts.filter(({ name }) => name.startsWith('tmr-server'));
  const requests = voters.map(({ name }) => `${name}.request`);
  const virtual = answers.virtualIp === undefined ? undefined : parseVirtualIp(answers.virtualIp);
  const request = 'runuser -u trefoil -- trefoil request --container /var/lib/trefoil/container.tfc';
  const own = voters.length === 1 ? 'the license server' : 'each license server';
  const startLeader =
    virtual === undefined
      ? 'systemctl enable --now trefoil-tmr-server'
      : '"systemctl daemon-reload && systemctl enable --now trefoil-tmr-server keepalived"';
  const lines = [
    '1. On each host: the package, and its files from here.',
    '',
    ...hosts.map(({ name, host }) => `   scp ${directory}/${name}.tar.gz root@${host}:`),
    '   apt install ./trefoil.deb' +
      (virtual === undefined ? '' : '            # on the TMR servers also: apt install keepalived'),
    '   tar -C / -xzf NAME.tar.gz && rm NAME.tar.gz',
    '',
    `2. On ${own}: its container, whose keys never leave it. Send the vendor what it writes.`,
    '',
    ...voters.map(({ name, host }) => `   ssh root@${host} ${request} --name ${name} > ${name}.request`),
    '   It also shows a recovery code, once: keep it apart from the host.',
    '',
    `3. The vendor makes a container set of ${requests.join(', ')}, and sends ${VENDOR_FILES.join(' and ')}.`,
    '',
    ...hosts.map(({ host }) => `   scp ${VENDOR_FILES.join(' ')} root@${host}:/etc/trefoil/`),
    '',
    '4. Start them, in any order.',
    '',
    ...voters.map(({ host }) => `   ssh root@${host} systemctl enable --now trefoil-license-server`),
    ...leaders.map(({ host }) => `   ssh root@${host} ${startLeader}`),
    '',
    '5. See that all is well, and put a license into service.',
    '',
    `   trefoil doctor                                             # on each host, as root: what is wrong, and what to do`,
    `   trefoil status --client ${directory}/client.json`,
    `   trefoil update LICENSE.update --client ${directory}/client.json`,
    '',
    `Applications find the group by ${directory}/client.json. Keep ${directory}/admin where only you can read it.`,
  ];
  return `${lines.join('\n')}\n`;
}

import { type Preset, PRESETS } from './presets.ts';

/** The guide page of all presets, as it stands in docs/guides: whoever changes a preset changes its page. */
export function presetGuide(): string {
  return [
    '# Choose a license model',
    '',
    'How shall customers pay, and what shall they experience? Find it below, and issue it:',
    '',
    '```sh',
    'trefoil vendor presets                       # this list',
    'trefoil vendor presets overflow > terms.json # its terms, to be changed',
    'trefoil vendor issue --configuration plant7.configuration.jws --license cad-1 --product cad \\',
    '  --preset overflow --quantity 25 --output cad-1.update',
    '```',
    '',
    'A preset is a bundle of terms ([FORMATS §2.4](../FORMATS.md), [terms.json](../schemas/terms.json) for your editor), to begin',
    'with: what is granted is decided by the terms alone, and any of them goes with any other unless they contradict each',
    'other. All of it works on five servers and survives every takeover;',
    '`npm run -s presets` plays the story of each in a running group, with a takeover in the middle. Dates and numbers are examples.',
    '',
    '| | preset | what the customer experiences |',
    '| --- | --- | --- |',
    ...PRESETS.map((one, i) => `| ${i + 1} | [${one.name}](#${i + 1}-${anchor(one)}) | ${one.says} |`),
    '',
    ...PRESETS.flatMap((one, i) => [
      `## ${i + 1} ${one.title}`,
      '',
      one.says,
      '',
      `*When to choose it:* ${one.choose}`,
      '',
      '```json',
      JSON.stringify(one.terms, undefined, 2),
      '```',
      '',
    ]),
  ].join('\n');
}

function anchor({ title }: Preset): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

import { expect, it } from 'vitest';

import { formatVerdicts, runSoak } from './run.ts';

it('cancelled, late, refused and abandoned calls leave no resource behind', async () => {
  const said: string[] = [];
  const verdicts = await runSoak({
    seed: 'the short profile',
    seconds: 15,
    warmUpSeconds: 5,
    settleSeconds: 8,
    // Connections to the database are kept for a minute; the long run waits for that.
    spare: {
      ...{ 'pg connections': 45, 'node PipeWrap': 45, 'open files': 45, sockets: 45 },
      // Each of them has a timer.
      'node Timeout': 45,
      // The connection over which the metrics are read is kept for some seconds.
      'node TCPSocketWrap': 1,
      'handle listeners': 600,
    },
    say: (line) => said.push(line),
  });
  const unmet = verdicts.filter(({ isMet }) => !isMet);
  expect(formatVerdicts(unmet), said.join('\n')).toEqual([]);
  expect(verdicts.length).toBeGreaterThan(15);
  expect(said.join('\n')).toMatch(/"abandoned":\d{2}/);
}, 180_000);

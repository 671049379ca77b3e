import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import { describe, expect, it } from 'vitest';

const script = new URL('../../../../tests/support/grpc/unfinished-trailers.ts', import.meta.url);

/** A process of its own, since it is the process that would end. */
async function run(): Promise<{ code: number | null; said: string }> {
  const args = ['--import', 'tsx', script.pathname];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err] = [text(child.stdout), text(child.stderr)];
  const [code] = (await once(child, 'exit')) as [number | null];
  return { code, said: (await out) + (await err) };
}

describe('unfinished trailers', () => {
  it('unfinished trailers of cut connections do not end the process', async () => {
    const { code, said } = await run();
    expect(said).toContain('connections cut: 60');
    expect(code).toBe(0);
  });
});

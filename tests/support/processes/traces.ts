import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

/** The access and the refresh token, asked for from the Secret Service by libsecret itself. */
export function readKeychain(env: Readonly<Record<string, string>>): string[] {
  const args = ['lookup', 'service', 'digital-wallet'];
  let text: string;
  try {
    text = execFileSync('secret-tool', args, {
      env: { ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString();
  } catch {
    return [];
  }
  const stored = JSON.parse(text) as { readonly secret: Record<string, string> };
  const { accessToken, refreshToken } = stored.secret;
  if (accessToken === undefined || refreshToken === undefined) throw new Error('no tokens found');
  return [accessToken, refreshToken];
}

/**
 * Collects command lines, and environments, of the processes whose command line has one of these
 * words in it, while it runs.
 */
export function watchProcesses(of: {
  readonly commandLines: readonly string[];
  readonly environments: readonly string[];
}): { stop(): string } {
  const seen = new Set<string>();
  let isStopped = false;
  const look = async (): Promise<void> => {
    while (!isStopped) {
      for (const name of await readdir('/proc')) {
        if (!/^\d+$/.test(name)) continue;
        const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
        if (of.commandLines.some((word) => line.includes(word))) seen.add(line);
        if (!of.environments.some((word) => line.includes(word))) continue;
        seen.add(await readFile(`/proc/${name}/environ`, 'utf8').catch(() => ''));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  void look();
  return {
    stop: () => {
      isStopped = true;
      return [...seen].join('\n');
    },
  };
}

/** Which of these texts are in which files of a folder, down to a depth. */
export async function findInFiles(
  texts: readonly string[],
  folder: string,
  depth = 20,
): Promise<{ readonly text: string; readonly path: string }[]> {
  const found: { readonly text: string; readonly path: string }[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory() && depth > 1) {
      found.push(...(await findInFiles(texts, path, depth - 1).catch(() => [])));
    }
    if (!entry.isFile()) continue;
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    for (const text of texts) if (bytes.includes(text)) found.push({ text, path });
  }
  return found;
}

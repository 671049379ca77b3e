import { spawn } from 'node:child_process';

/**
 * Opens an address of http or https in the browser of the desktop. No shell reads it. False where
 * there is no program that opens it.
 */
export function openInBrowser(
  url: string,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  return new Promise((resolve) => {
    const child = spawn(program, [url], { env, stdio: 'ignore', detached: true });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}

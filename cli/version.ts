import packageJson from '../package.json' with { type: 'json' };

export const { version } = packageJson;

export function printVersion(): void {
  process.stdout.write(`wallet ${version}\n`);
}

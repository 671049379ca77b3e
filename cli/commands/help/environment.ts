import { settingKeys, settingSpecs } from '../../config/settings.ts';

/** Variables that are no settings: a profile cannot hold them. */
const others: readonly (readonly [name: string, help: string])[] = [
  ['WALLET_PROFILE', 'the profile to use (default: the one chosen with profiles use)'],
  ['WALLET_TOKEN', 'an access token or API key; overrides the stored sign-in'],
  ['WALLET_CONFIG_DIR', 'folder of config.json and of who is signed in where'],
  ['WALLET_STATE_DIR', 'folder of locks and of keys whose outcome is unknown'],
  ['XDG_CONFIG_HOME', 'on Linux, the folder above WALLET_CONFIG_DIR (default ~/.config)'],
  ['XDG_STATE_HOME', 'on Linux, the folder above WALLET_STATE_DIR (default ~/.local/state)'],
  ['HOME', 'the home folder, above the folders that no other variable names'],
  ['NO_COLOR', 'any text: print without colours'],
  ['TERM', 'dumb: print without colours'],
  ['DISPLAY', 'a graphical session, in which open docs opens a browser'],
  ['WAYLAND_DISPLAY', 'the same'],
  ['TZ', 'the time zone of the terminal, where none is configured'],
];

/** `wallet help environment` */
export function describeEnvironment(): string {
  const settings = settingKeys.map((key) => {
    const { env, fallback, help }: { env: string; fallback: string | undefined; help: string } =
      settingSpecs[key];
    const note = fallback === undefined ? '' : ` (default ${fallback})`;
    return [env, `${help}${note}`] as const;
  });
  return `Environment variables of wallet. An empty one counts as absent. Flags override the environment,
the environment overrides the profile, and the profile overrides the default.

Settings, also kept in a profile (wallet config set KEY VALUE):

${formatList(settings)}

Others:

${formatList(others)}

wallet config list --show-origin shows the value of each setting and where it comes from.`;
}

function formatList(entries: readonly (readonly [name: string, help: string])[]): string {
  return entries.map(([name, help]) => `  ${name.padEnd(26)}  ${help}`).join('\n');
}

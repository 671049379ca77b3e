import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';

/** A folder that no user can make, root included. What is to be written there is refused by name. */
export const noHome = '/dev/null/nonexistent';

/**
 * Makes sure that the home folder is an absolute path, and answers why there is none. A container
 * may run under a user id without an entry on the host, and without HOME. A relative one would put
 * tokens and keys into whatever folder a command is run in.
 */
function ensureHome(env: NodeJS.ProcessEnv): string | undefined {
  for (const name of ['XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_DATA_HOME']) {
    // As the specification of these variables says.
    if (!isAbsolute(env[name] ?? '/')) env[name] = '';
  }
  const given = env['HOME'];
  if (given === '') delete env['HOME'];
  try {
    if (isAbsolute(homedir())) return undefined;
  } catch {
    env['HOME'] = noHome;
    return 'HOME is not set, and this user has no home folder';
  }
  env['HOME'] = noHome;
  return `HOME is not an absolute path: ${JSON.stringify(given)}`;
}

/**
 * Why there is no home folder; undefined if there is one. The library that names folders asks for
 * the home folder while it is loaded: this file is imported before it.
 */
export const homeProblem = ensureHome(process.env);

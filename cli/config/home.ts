import { homedir } from 'node:os';

/** A folder that is on no host, by convention. What is to be written there is refused by name. */
const noHome = '/nonexistent';

// A container may run under a user id without an entry on the host, and without HOME. The library
// that names folders asks for the home folder while it is loaded: this is imported before it.
try {
  homedir();
} catch {
  process.env['HOME'] = noHome;
}

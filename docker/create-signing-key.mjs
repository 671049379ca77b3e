import { generateKeyPairSync } from 'node:crypto';
import { existsSync, linkSync, rmSync, writeFileSync } from 'node:fs';

// Makes the key that signs access tokens, unless there is one already.
const file = process.argv[2];

function create(draft) {
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(draft, pem, { mode: 0o600, flag: 'wx', flush: true });
    // Appears whole or not at all, and never over another.
    linkSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

if (!file) {
  console.error('usage: create-signing-key.mjs FILE');
  process.exitCode = 2;
} else if (existsSync(file)) {
  console.log(`${file} is there already`);
} else {
  try {
    create(`${file}.${process.pid}`);
    console.log(`${file} is made`);
  } catch (error) {
    console.error(`${file} cannot be made: ${error.message}`);
    console.error('hint: see that its folder is there, can be written and has room');
    process.exitCode = 1;
  }
}

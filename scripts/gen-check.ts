import { execFileSync } from 'node:child_process';

// The generated code is committed; here it is made again and must be the same.

execFileSync('npx', ['buf', 'generate'], { stdio: ['ignore', 'inherit', 'inherit'] });
const drift = execFileSync('git', ['status', '--porcelain', '--', 'protos/gen'], {
  encoding: 'utf8',
});
if (drift !== '') {
  console.error(`protos/gen differs from what the protos give; commit it:\n${drift}`);
  process.exit(1);
}

import type { Context } from '../../context.ts';
import { exitCodes, succeed, type CommandOutcome } from '../../outcome.ts';
import { checkConnection } from './connection.ts';
import type { Finding } from './finding.ts';
import { checkFolders, checkSettings } from './local.ts';
import { openReport } from './report.ts';
import { checkServer } from './server.ts';
import { checkSession } from './session.ts';
import { checkStorage } from './storage.ts';

/** `wallet doctor`: looks at all that a command needs, from near to far. */
export async function runDoctor(context: Context): Promise<CommandOutcome> {
  const report = openReport(context);
  const add = async (findings: Promise<readonly Finding[]> | readonly Finding[]) =>
    report.add(await findings);
  await add(checkSettings(context));
  await add(checkFolders(context));
  await add(checkStorage(context));
  const connection = await checkConnection(context);
  await add(connection.findings);
  try {
    const session = await checkSession(context, connection.value !== undefined);
    await add(session.findings);
    await add(checkServer(connection.value, session.token));
  } finally {
    connection.value?.close();
  }
  const hasProblem = await report.end();
  return succeed(hasProblem ? exitCodes.unexpected : exitCodes.done);
}

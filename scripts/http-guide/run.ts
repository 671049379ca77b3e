import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { findFreePort } from '../../tests/support/free-port.ts';
import { startSmtpServer, type TestSmtpServer } from '../../tests/support/mail/smtp.ts';
import { createWorld } from '../../tests/support/processes/world.ts';
import { password, type Chapter, type Site, type Step } from './chapter.ts';
import { createPlaceholders } from '../guide/placeholders.ts';
import { runShell } from '../guide/run-shell.ts';
import { readAnswer, renderStep } from './render.ts';

/**
 * Runs each command of the chapters against a daemon of its own, and gives the guide as Markdown.
 * Throws where an answer is not the one that a step expects.
 */
export async function runGuide(intro: string, chapters: readonly Chapter[]): Promise<string> {
  const world = await createWorld();
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const smtp = await startSmtpServer({ disabledCommands: ['STARTTLS'] });
  const nowMs = Date.now();
  const placeholders = createPlaceholders(nowMs, url);
  const folder = join(world.folder, 'guide');
  await mkdir(folder);
  const http = { WALLETD_HTTP_LISTEN: `127.0.0.1:${port}`, LOG_LEVEL: 'warn' };
  const variables = new Map([
    ['WALLET', url],
    ['TODAY', new Date(nowMs).toISOString().slice(0, 10)],
  ]);
  const site: Site = {
    variables,
    createStaff: async (email, role) => {
      const made = await world.walletd(
        ['users', 'create', '--email', email, '--role', role],
        password,
      );
      if (made.code !== 0) throw new Error(made.stderr);
    },
    waitForLines: () => waitForLines(url, variables.get('TOKEN') ?? ''),
    restartWithMail: async () => {
      await world.stop();
      const mail = { SMTP_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM: 'wallet@example.com' };
      await world.start({ ...http, ...mail });
    },
    readMailedCode: (email) => readMailedCode(smtp, email),
  };
  try {
    await world.start(http);
    const texts = [intro];
    let isFirst = true;
    for (const { title, text, steps, end } of chapters) {
      texts.push(`## ${title}`, text);
      for (const step of steps) {
        const output = await runStep(step, site, folder);
        const options = { hasAllHeaders: isFirst, replace: placeholders.apply };
        texts.push(renderStep(step, output, options));
        isFirst = false;
      }
      if (end !== undefined) texts.push(end);
    }
    return `${texts.filter((text) => text !== '').join('\n\n')}\n`;
  } finally {
    await world.dispose();
    await smtp.stop();
  }
}

async function runStep(step: Step, site: Site, folder: string): Promise<string> {
  await step.before?.(site);
  const variables = Object.fromEntries(site.variables);
  const { code, stdout, stderr } = await runShell(step.command, variables, folder);
  const answer = readAnswer(stdout);
  const isExpected = code === (step.exitCode ?? 0) && answer?.status === step.status;
  if (!isExpected) {
    throw new Error(`unexpected end ${String(code)} of ${step.command}\n${stdout}\n${stderr}`);
  }
  for (const [name, path] of Object.entries(step.keep ?? {})) {
    site.variables.set(name, findValue(answer?.body ?? stdout, path));
  }
  return stdout;
}

function findValue(body: string, path: string): string {
  // Of server-sent events the id of the last one.
  if (path === 'id:') return [...body.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? '';
  let value = JSON.parse(body) as unknown;
  for (const name of path.split('.')) value = (value as Record<string, unknown>)[name];
  if (typeof value !== 'string') throw new Error(`no ${path} in ${body}`);
  return value;
}

/** Lines come a moment after their transactions. */
async function waitForLines(url: string, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  for (;;) {
    const response = await fetch(`${url}/v1/statements`, { headers });
    const { status } = (await response.json()) as { status: unknown };
    if (status === 'complete') return;
    if (status !== 'incomplete') throw new Error(`the statement is ${String(status)}`);
    await sleep(50);
  }
}

async function readMailedCode(smtp: TestSmtpServer, email: string): Promise<string> {
  for (;;) {
    const mail = smtp.mails.findLast(({ to }) => to.includes(email));
    const code = /(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}/.exec(mail?.raw ?? '')?.[0];
    if (code !== undefined) return code;
    await smtp.waitFor(smtp.mails.length + 1);
  }
}

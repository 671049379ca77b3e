import { existsSync } from 'node:fs';

import { chromium, type Browser, type Page } from 'playwright-core';

const program = '/usr/bin/chromium';

/** A real Chromium without a window. The sandbox needs rights that root has given up there. */
export function startBrowser(): Promise<Browser> {
  if (!existsSync(program)) {
    throw new Error(
      `The test of the documentation page needs Chromium: ${program} not found. ` +
        'On Debian, as root: apt-get install -y --no-install-recommends chromium',
    );
  }
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: program, args });
}

/** What a page must not do: each is a text that says what happened. */
export type Findings = {
  /** Reports of the Content-Security-Policy. */
  readonly violations: string[];
  /** Errors and warnings on the console, and errors that no code caught. */
  readonly errors: string[];
  /** Requests, as `METHOD URL`. */
  readonly requests: string[];
};

/** Watches a page from its next navigation on. */
export async function watchPage(page: Page): Promise<Findings> {
  const violations: string[] = [];
  const errors: string[] = [];
  const requests: string[] = [];
  await page.exposeFunction('reportViolation', (text: string) => violations.push(text));
  await page.addInitScript(`document.addEventListener('securitypolicyviolation', (event) =>
    reportViolation(event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));`);
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    errors.push(`${message.type()}: ${message.text()} at ${message.location().url}`);
  });
  page.on('pageerror', (error) => errors.push(`uncaught: ${error.message}`));
  page.on('request', (request) => requests.push(`${request.method()} ${request.url()}`));
  page.on('websocket', (socket) => requests.push(`WebSocket ${socket.url()}`));
  return { violations, errors, requests };
}

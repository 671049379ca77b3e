import { stripControls } from '../../core/text.ts';

/** A text of others on one line of a terminal: breaks become blanks, other controls vanish. */
export function toPlainLine(text: string): string {
  return stripControls(text.replace(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, ' '));
}

/**
 * JSON with the controls escaped that its own rules let through (DEL, C1 and bidirectional ones),
 * so that it is the same data, and harmless wherever it is looked at.
 */
export function toJsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

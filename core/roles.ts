/** What a user may be. Staff are operators and admins. */
export const roles = ['customer', 'operator', 'admin'] as const;

export type Role = (typeof roles)[number];

export const isRole = (value: unknown): value is Role =>
  (roles as readonly unknown[]).includes(value);

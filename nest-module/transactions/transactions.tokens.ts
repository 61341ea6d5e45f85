export const CHECKED_OPTIONS = Symbol('turbocache:transactions-options');

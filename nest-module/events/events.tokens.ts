export const CHECKED_OPTIONS = Symbol('turbocache:events-options');

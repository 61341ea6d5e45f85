/** Where the sources of the module's options are found. */
export const CONTEXT_SOURCES = Symbol('turbocache:context-sources');

'use strict';

/** Nest and turbocache-js (a copy of the built one) come from this folder, whoever asks for them. */
const FROM_HERE =
  /^(?:@nestjs\/|@apollo\/|graphql(?:\/|$)|turbocache-js(?:\/|$)|reflect-metadata(?:\/|$)|rxjs(?:\/|$))/;

module.exports = (request, options) =>
  options.defaultResolver(request, FROM_HERE.test(request) ? { ...options, basedir: __dirname } : options);

/**
 * Every error this package throws. Codes are public API: users branch on `code` or on the class, never on a message.
 * Messages read: what was asked, what was got, what would be right.
 */
import type * as Public from '../../index';

type Code = Public.TurboCacheErrorCode;
type Details = Public.ErrorDetails;

export class TurboCacheError extends Error implements Public.TurboCacheError {
  readonly code: Code;
  readonly option: string | undefined;
  readonly got: unknown;
  readonly expected: string | undefined;
  readonly details: Details;

  constructor(code: Code, message: string, details: Details = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.option = details.option;
    this.got = details.got;
    this.expected = details.expected;
    this.details = details;
  }

  // On the prototype, so that it survives minifiers and does not show up among the own fields of a logged error.
  static {
    this.prototype.name = 'TurboCacheError';
  }
}

export class ConfigurationError extends TurboCacheError implements Public.ConfigurationError {
  static {
    this.prototype.name = 'ConfigurationError';
  }
}

export class InvalidArgumentError extends TurboCacheError implements Public.InvalidArgumentError {
  static {
    this.prototype.name = 'InvalidArgumentError';
  }
}

export class LimitError extends TurboCacheError implements Public.LimitError {
  static {
    this.prototype.name = 'LimitError';
  }
}

export class SerializationError extends TurboCacheError implements Public.SerializationError {
  static {
    this.prototype.name = 'SerializationError';
  }
}

export class LoaderTimeoutError extends TurboCacheError implements Public.LoaderTimeoutError {
  static {
    this.prototype.name = 'LoaderTimeoutError';
  }
}

export class RecursiveLoadError extends TurboCacheError implements Public.RecursiveLoadError {
  static {
    this.prototype.name = 'RecursiveLoadError';
  }
}

export class OverloadedError extends TurboCacheError implements Public.OverloadedError {
  static {
    this.prototype.name = 'OverloadedError';
  }
}

export class LockError extends TurboCacheError implements Public.LockError {
  static {
    this.prototype.name = 'LockError';
  }
}

export class ClosedError extends TurboCacheError implements Public.ClosedError {
  static {
    this.prototype.name = 'ClosedError';
  }
}

export class RemoteError extends TurboCacheError implements Public.RemoteError {
  static {
    this.prototype.name = 'RemoteError';
  }
}

export class UnsupportedError extends TurboCacheError implements Public.UnsupportedError {
  static {
    this.prototype.name = 'UnsupportedError';
  }
}

export class DecoratorError extends TurboCacheError implements Public.DecoratorError {
  static {
    this.prototype.name = 'DecoratorError';
  }
}

export class NativeLoadError extends TurboCacheError implements Public.NativeLoadError {
  static {
    this.prototype.name = 'NativeLoadError';
  }
}

import { Field, Float, Int, ObjectType } from '@nestjs/graphql';

/** A country as the schema knows it. */
@ObjectType('Country')
export class CountryModel {
  @Field(() => String)
  country!: string;
  @Field(() => Int)
  places!: number;
  @Field(() => Float)
  population!: number;
}

/** A place; `country` and `neighbours` are resolved, each with a cache of its own. */
@ObjectType('Place')
export class PlaceModel {
  @Field(() => Int)
  id!: number;
  @Field(() => String)
  name!: string;
  @Field(() => Int)
  population!: number;

  /** Its code, which the schema does not show. */
  readonly country!: string;
  readonly latitude!: number;
  readonly longitude!: number;
}

/** Stands before every id: where a walk by id begins. */
export const NIL_ID = '00000000-0000-0000-0000-000000000000';

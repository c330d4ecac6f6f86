export class Camera {
  constructor() {}
}

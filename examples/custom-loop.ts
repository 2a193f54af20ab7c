// A module of one's own and a hand-written loop: valueAndGrad and optimizer.step, compiled as one program by jit.
import { jit, matmul, nn, optim, Parameter, random, seed, type Tensor, tensor, valueAndGrad } from 'kaimo'

class Regression extends nn.Module {
  readonly weight = new Parameter(random.normal([3, 1], { std: 0.1 }), { name: 'weight' })
  readonly bias = new Parameter(tensor([0]), { name: 'bias' })

  forward(x: Tensor): Tensor {
    return matmul(x, this.weight).add(this.bias)
  }
}

seed(7)
const x = random.normal([256, 3])
const y = matmul(x, tensor([[1], [-2], [3]])).add(0.5)

const model = new Regression()
const parameters = model.parameters()
const optimizer = optim.torch.adam(parameters, { lr: 0.05 })
const lossAndGrad = valueAndGrad((a: Tensor, b: Tensor) => model.forward(a).sub(b).square().mean(), parameters)

const step = jit((a: Tensor, b: Tensor) => {
  const { value, grads } = lossAndGrad(a, b)
  optimizer.step(grads)
  return value
})

for (let i = 1; i <= 300; i++) {
  const loss = step(x, y)
  if (i % 100 === 0) console.log(`step ${i}: loss ${(await loss.item()).toExponential(2)}`)
}
console.log(
  'weight',
  JSON.stringify(await model.weight.value.toArray()),
  'bias',
  JSON.stringify(await model.bias.value.toArray()),
)

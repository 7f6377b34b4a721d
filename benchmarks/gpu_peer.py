"""Times the published implementation on a GPU beside leaf (scripts/gpu/check.sh).

    gpu_peer.py REFERENCE_DIR MODE

MODE: infer- or train-, then eager (as published), tuned (channels-last) or compile (channels-last). bfloat16
by autocast, 256x256, random weights; prints milliseconds: inference at batch 1 and 16 (an image), training
at batch 4 (a step).
"""

import sys

import torch
from torch.nn import functional

MODE = sys.argv[2]
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, __file__.rsplit("/", 1)[0])
from peer_inference import SCALING_FACTOR, Network  # noqa: E402

torch.backends.cudnn.benchmark = not MODE.endswith("eager")
LAYOUT = torch.contiguous_format if MODE.endswith("eager") else torch.channels_last


def median_ms(call, runs, warmups):
    for _ in range(warmups):
        call()
    times = []
    for _ in range(runs):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times)[len(times) // 2]


class OnGpu(Network):
    """The timestep is made on the GPU."""

    def forward(self, image, noise):
        encoder, autoencoder = self.latent_encoder, self.autoencoder
        image_latent = encoder.quant_conv(encoder.encoder(2 * image - 1))[:, :4] * SCALING_FACTOR
        timestep = torch.full((image.shape[0],), 999, device=image.device)
        latent = self.unet(torch.cat([image_latent, noise], 1), timestep).sample.clamp(-1, 1)
        decoded = autoencoder.decoder(autoencoder.post_quant_conv(latent / SCALING_FACTOR))
        return ((decoded.clamp(-1, 1) + 1) / 2).mean(1, keepdim=True)


def inference(compiled):
    network = OnGpu().cuda().eval().to(memory_format=LAYOUT)
    call = torch.compile(network, mode="reduce-overhead") if compiled else network
    for batch in (1, 16):
        image = torch.rand(batch, 3, 256, 256, device="cuda").to(memory_format=torch.channels_last)
        noise = torch.randn(batch, 4, 32, 32, device="cuda")
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
            ms = median_ms(lambda: call(image, noise).float().cpu(), 50, 10)
        print(f"{MODE} batch {batch}: {ms / batch:.3f} ms an image", flush=True)


def training(compiled):
    import timm
    from leaf import UNetModelWrapper

    network = OnGpu().cuda().to(memory_format=LAYOUT)
    frozen, encoder = network.autoencoder.requires_grad_(False), network.latent_encoder
    unet = UNetModelWrapper(network.unet, True).cuda()
    teacher = timm.create_model("vit_base_patch14_reg4_dinov2", pretrained=False, img_size=224, num_classes=0)
    teacher = teacher.cuda().eval().requires_grad_(False).to(torch.bfloat16)
    parameters = [*unet.parameters(), *encoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=4e-5, weight_decay=0.01)
    average = [p.detach().clone() for p in network.unet.parameters()]
    image = torch.rand(4, 3, 256, 256, device="cuda").to(memory_format=LAYOUT)
    mask = (torch.rand_like(image) > 0.5).float()
    noise = torch.randn(4, 4, 32, 32, device="cuda")
    time = torch.randint(0, 1000, (4,), device="cuda")

    def losses():
        with torch.autocast("cuda", torch.bfloat16):
            with torch.no_grad():
                latent = frozen.encode(2 * mask - 1).mode() * SCALING_FACTOR
                resized = functional.interpolate(image, 224, mode="bicubic")
                tokens = teacher.forward_features(resized.bfloat16())[:, 5:]
            image_latent = encoder(2 * image - 1).mode() * SCALING_FACTOR
            noisy = 0.5 * latent.float() + 0.8 * noise
            prediction, projected = unet(torch.cat([image_latent.float(), noisy], 1), time)
        cosine = functional.cosine_similarity(tokens.float(), projected.float(), dim=-1).mean()
        return functional.l1_loss(prediction.float(), latent.float()) - 0.75 * cosine

    call = torch.compile(losses) if compiled else losses

    def step():
        optimizer.zero_grad()
        call().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, list(network.unet.parameters()), 0.001)

    network.train()
    ms = median_ms(step, 30, 8)
    print(f"{MODE} batch 4: {ms:.2f} ms a step, {torch.cuda.max_memory_allocated() / 1e9:.2f} GB", flush=True)


(inference if MODE.startswith("infer") else training)(MODE.endswith("compile"))

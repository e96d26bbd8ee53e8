package io.walroute.hook;

import java.util.ArrayList;
import java.util.List;
import javax.crypto.Mac;

/**
 * Signs by a receiver's secrets, with a {@link Mac} for each that is made once: to find and key one takes longer than to sign a
 * small body. For one thread.
 */
final class Signer {
    private final List<Mac> macs = new ArrayList<>();

    /** @param secrets {@code whsec_<base64>} */
    Signer(List<String> secrets) {
        secrets.forEach(secret -> macs.add(WebhookSignature.mac(secret)));
    }

    /** The same as {@link WebhookSignature#sign(List, String, long, byte[])}. */
    String sign(String id, long timestampSeconds, byte[] body) {
        byte[] head = WebhookSignature.head(id, timestampSeconds);
        if (macs.size() == 1) {
            return WebhookSignature.written(macs.get(0), head, body);
        }
        var signatures = new StringBuilder();
        for (Mac each : macs) {
            signatures.append(signatures.isEmpty() ? "" : " ").append(WebhookSignature.written(each, head, body));
        }
        return signatures.toString();
    }
}
